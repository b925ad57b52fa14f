package redistest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Ask sends one command without spaces in its arguments, and gives the answer: of a text what it says, of anything else the
// first line.
func (s *Server) Ask(words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	in := bufio.NewReader(conn)
	if s.User != "" {
		if _, err := tell(conn, in, "AUTH", s.User); err != nil { // who is not let in asks as nobody
			return "", err
		}
	}
	return tell(conn, in, words...)
}

func tell(to io.Writer, from *bufio.Reader, words ...string) (string, error) {
	if _, err := fmt.Fprintf(to, "%s\r\n", strings.Join(words, " ")); err != nil {
		return "", err
	}
	line, err := from.ReadString('\n')
	line = strings.TrimSpace(line)
	size, isText := strings.CutPrefix(line, "$")
	n, notSize := strconv.Atoi(size)
	if err != nil || !isText || notSize != nil || n < 0 {
		return line, err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(from, text)
	return string(text), err
}
