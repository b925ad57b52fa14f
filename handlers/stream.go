package handlers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

const (
	// silence is how long the other side of a stream may send nothing that is waited for, or take nothing.
	silence = 30 * time.Second

	// flushEvery is how long an answer may lie here before it is sent, so that answers travel together.
	flushEvery = time.Second

	// lingering is how long what the other side still sends is taken in after the last word: a connection that is
	// closed with bytes unread takes that word back.
	lingering = time.Second
)

// servingKey is where a request of NewServer's has the context that ends when the server is told to stop.
type servingKey struct{}

// stream is an exchange that lasts as long as it goes on: its answer is written while its body is still being read.
// The server's own timeouts do not hold for it, but neither side may be silent for long.
type stream struct {
	ctx context.Context // ends when the caller hangs up, when the server stops, and with close
	end context.CancelCauseFunc

	conn    *http.ResponseController
	writer  gin.ResponseWriter
	body    io.Reader
	clock   broker.Clock
	release func() bool

	out      gate // guards what follows
	buffer   *bufio.Writer
	dirty    bool        // something is written that is not sent
	late     *time.Timer // sends it
	expected []label     // what is being worked on, in its order
	starving bool        // nothing comes to be worked on until more of the body does
	closed   bool

	in      sync.Mutex // guards what follows
	whole   bool       // the body is read to its end
	aborted bool       // no more of it is wanted
}

// gate is a mutex that is held while something is sent: who waits for it waits for as long as the other side takes.
type gate chan struct{}

// Lock waits for its turn.
func (g gate) Lock() { g <- struct{}{} }

// Unlock lets the next one in.
func (g gate) Unlock() { <-g }

// label is what an answer says of the line that it is for.
type label struct {
	line int
	id   *string
}

// stream begins an exchange. It has to be closed.
func (a *api) stream(c *gin.Context) *stream {
	ctx, end := context.WithCancelCause(c.Request.Context())
	s := &stream{
		ctx: ctx, end: end, conn: http.NewResponseController(c.Writer), writer: c.Writer, body: c.Request.Body, clock: a.Clock,
		release: func() bool { return true }, out: make(gate, 1),
	}
	s.buffer = bufio.NewWriterSize(deadlineWriter{s}, 4<<10)
	s.late = time.AfterFunc(flushEvery, s.flush)
	if serving, ok := ctx.Value(servingKey{}).(context.Context); ok {
		s.release = context.AfterFunc(serving, func() { end(errStopping()) })
	}
	context.AfterFunc(ctx, s.abort)
	_ = s.conn.EnableFullDuplex() // not supported: it is HTTP/2, which is always so, or a test
	s.setReadDeadline(time.Time{})
	_ = s.conn.SetWriteDeadline(time.Time{})
	if c.Request.ProtoMajor == 1 {
		// Full duplex has net/http leave what is unread of a body on the connection, where it would be the next request.
		c.Writer.Header().Set("Connection", "close")
	}
	return s
}

func errStopping() error {
	return broker.Errorf(broker.Unavailable, "linkbroker is stopping: send again what was not answered")
}

// cause says why the exchange was ended before its end.
func (s *stream) cause() error {
	err := context.Cause(s.ctx)
	if errors.Is(err, context.Canceled) {
		return broker.Errorf(hungUp, "the connection was closed: %w", err)
	}
	return err
}

// open begins the answer.
func (s *stream) open(contentType []string) {
	h := s.writer.Header()
	h["Content-Type"] = contentType
	h["Cache-Control"] = noStore
	h.Set("X-Accel-Buffering", "no") // or nginx keeps the answer until it is whole
	s.out.Lock()
	defer s.out.Unlock()
	s.writer.WriteHeaderNow()
	s.dirty = true
	s.send()
}

// close sends what is left to send. Nobody may read any more.
func (s *stream) close() {
	s.out.Lock()
	s.send()
	s.closed = true
	s.late.Stop()
	s.out.Unlock()
	s.release()
	s.end(context.Canceled)
	s.linger()
}

// linger takes in what still comes of a body that was not read to its end.
func (s *stream) linger() {
	s.in.Lock()
	s.aborted = true // from here on nobody else sets a deadline
	s.in.Unlock()
	if !s.whole {
		s.setReadDeadline(s.clock().Add(lingering))
		_, _ = io.Copy(io.Discard, s.body)
	}
}

// Read reads the body.
func (s *stream) Read(p []byte) (int, error) {
	if !s.await() {
		return 0, s.cause()
	}
	n, err := s.body.Read(p)
	s.in.Lock()
	defer s.in.Unlock()
	switch {
	case s.aborted:
		return 0, s.cause()
	case errors.Is(err, io.EOF):
		s.whole = true
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = broker.Errorf(malformed, "the body was not sent on for %s", silence)
	case err != nil:
		err = broker.Errorf(hungUp, "the body did not arrive whole")
		s.end(err)
	}
	s.setReadDeadline(time.Time{}) // it is a deadline for the other side, not for us
	return n, err
}

// await gets ready to wait for more of the body: what is answered is sent, for it may be what the other side waits
// for. It reports whether more is wanted.
func (s *stream) await() bool {
	s.out.Lock()
	s.starving = true
	if len(s.expected) == 0 {
		s.send()
	}
	s.out.Unlock()
	s.in.Lock()
	defer s.in.Unlock()
	if !s.aborted {
		s.setReadDeadline(s.clock().Add(silence))
	}
	return !s.aborted
}

// abort ends a read that waits.
func (s *stream) abort() {
	s.in.Lock()
	defer s.in.Unlock()
	if !s.aborted {
		s.aborted = true
		s.setReadDeadline(time.Unix(1, 0))
	}
}

// setReadDeadline has no error to tell: a connection that is gone says so when it is read.
func (s *stream) setReadDeadline(t time.Time) { _ = s.conn.SetReadDeadline(t) }

// expect notes that a line is being worked on.
func (s *stream) expect(l label) {
	s.out.Lock()
	defer s.out.Unlock()
	s.starving = false
	s.expected = append(s.expected, l)
}

// next gives the label of the line that is answered next.
func (s *stream) next() label {
	s.out.Lock()
	defer s.out.Unlock()
	return s.expected[0]
}

// guarded turns a panic into an error. A body is read by another goroutine than that of its request, where a panic would
// end the program.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = broker.Errorf(broker.Internal, "%w", fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return do()
}

// reply writes the answer to the line that is answered next. It is sent at once if nothing else goes on.
func (s *stream) reply(text []byte) {
	s.out.Lock()
	defer s.out.Unlock()
	s.expected = s.expected[1:]
	s.write(text)
	if s.starving && len(s.expected) == 0 {
		s.send()
	}
}

// say writes what answers no line.
func (s *stream) say(text []byte) {
	s.out.Lock()
	defer s.out.Unlock()
	s.write(text)
}

// Write writes a part of an answer that is not made of lines.
func (s *stream) Write(p []byte) (int, error) {
	s.say(p)
	return len(p), s.cause()
}

func (s *stream) write(text []byte) {
	if !s.dirty {
		s.dirty = true
		s.late.Reset(flushEvery)
	}
	if _, err := s.buffer.Write(text); err != nil {
		s.end(errNotTaken())
	}
}

func (s *stream) flush() {
	s.out.Lock()
	defer s.out.Unlock()
	if !s.closed {
		s.send()
	}
}

// send sends what lies in the buffer.
func (s *stream) send() {
	if !s.dirty {
		return
	}
	s.dirty = false
	err := s.buffer.Flush()
	if err == nil {
		_, err = s.withDeadline(func() (int, error) { return 0, s.conn.Flush() })
	}
	if err != nil {
		s.end(errNotTaken())
	}
}

func errNotTaken() error { return broker.Errorf(hungUp, "the answer is not taken any more") }

// deadlineWriter writes to the connection. Each write has its own time, so that only who takes nothing is hung up on.
type deadlineWriter struct{ *stream }

func (w deadlineWriter) Write(p []byte) (int, error) {
	return w.withDeadline(func() (int, error) { return w.writer.Write(p) })
}

func (s *stream) withDeadline(write func() (int, error)) (int, error) {
	_ = s.conn.SetWriteDeadline(s.clock().Add(silence))
	defer func() { _ = s.conn.SetWriteDeadline(time.Time{}) }() // HTTP/2 resets a stream when it passes, also where nothing is written
	return write()
}
