package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// partSuffix is what the name of an output ends in until it is whole.
const partSuffix = ".part"

// syncEvery is how much of its work a batch loses at most when the power fails.
const syncEvery = time.Second

// part is an output that is not whole yet.
type part struct {
	file *os.File
	done chan struct{}
	all  sync.WaitGroup

	mu     sync.Mutex
	w      *bufio.Writer
	failed error
}

// openPart opens the part of an output or makes it, for this process alone.
func openPart(name string) (*part, error) {
	file, err := os.OpenFile(name+partSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if lockFile(file) != nil || !isStill(file) {
		return nil, errors.Join(fmt.Errorf("%s is being written by another linkbroker", file.Name()), file.Close())
	}
	return &part{file: file, w: bufio.NewWriter(file), done: make(chan struct{})}, nil
}

// isStill reports whether a file still has its name: it is another's, whole, if it got that of the output before it was
// locked.
func isStill(file *os.File) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(file.Name())
	return err == nil && os.SameFile(opened, named)
}

// beginAnew forgets what is there, the output too.
func (p *part) beginAnew(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return p.file.Truncate(0)
}

// goOn has what is added stand behind the first so many bytes.
func (p *part) goOn(keep int64) error {
	if err := p.file.Truncate(keep); err != nil {
		return err
	}
	if _, err := p.file.Seek(keep, io.SeekStart); err != nil {
		return err
	}
	p.all.Go(p.keepSynced)
	return nil
}

func (p *part) keepSynced() {
	ticker := time.NewTicker(syncEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.note(p.sync())
		case <-p.done:
			return
		}
	}
}

// sync makes what was added survive a power failure.
func (p *part) sync() error {
	p.mu.Lock()
	err := p.w.Flush()
	p.mu.Unlock()
	return errors.Join(err, p.file.Sync())
}

func (p *part) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = errors.Join(p.failed, err)
}

func (p *part) add(text []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return p.failed
	}
	_, err := p.w.Write(text)
	return err
}

// close leaves the part for the next time.
func (p *part) close() error {
	close(p.done)
	p.all.Wait()
	return errors.Join(p.sync(), p.file.Close())
}

// finish gives the part, which is closed, the name of the output.
func (p *part) finish(name string) error {
	if err := os.Rename(p.file.Name(), name); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close()) // or a power failure could take the name back
}

// source is where the rows of a batch come from: the input, and of a retry the output whose rows without a link are
// asked for again.
type source struct {
	of      form
	input   sheet
	earlier sheet // nil = no retry
}

// sourced is a row and what is known of it already.
type sourced struct {
	row

	known *result
}

func (s *source) next() (sourced, error) {
	r, err := s.input.next()
	if err != nil || s.earlier == nil {
		return sourced{row: r}, s.tooLong(err)
	}
	before, err := s.earlier.next()
	switch found := s.earlier.result(before); {
	case errors.Is(err, io.EOF): // the input has grown
		return sourced{row: r}, nil
	case err != nil:
		return sourced{}, fmt.Errorf("the output: %w", err)
	case found.URL == "":
		return sourced{row: r}, nil
	case !s.earlier.belongs(before, r):
		return sourced{}, errForeignRow("the output", before.line, r.line)
	default:
		return sourced{r, &found}, nil
	}
}

// tooLong refuses an earlier output that goes on behind the end of the input.
func (s *source) tooLong(err error) error {
	if !errors.Is(err, io.EOF) || s.earlier == nil {
		return err
	}
	if r, beyond := s.earlier.next(); !errors.Is(beyond, io.EOF) {
		return fmt.Errorf("line %d of the output is beyond the end of the input: is it the output of another?", r.line)
	}
	return err
}

func errForeignRow(what string, line, inputLine int) error {
	return fmt.Errorf("line %d of %s is not that of line %d of the input: the input was changed since. "+
		"Put it back as it was, or begin anew with --force", line, what, inputLine)
}

// resume reads how far a part has come. It gives how many of its bytes are good, without a row that was cut off, and
// leaves the source at the row behind them.
func (s *source) resume(part io.ReaderAt, size int64, each func(result)) (keep int64, err error) {
	head := s.input.outputHead()
	begun := make([]byte, min(int64(len(head)), size))
	if _, err := part.ReadAt(begun, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if !bytes.HasPrefix(head, begun) {
		return 0, errForeignHead
	}
	if len(begun) < len(head) {
		return 0, nil
	}
	output, err := openOutput(s.of, io.NewSectionReader(part, 0, size), s.input)
	if err != nil {
		return 0, err
	}
	for keep = int64(len(head)); ; {
		r, err := output.next()
		if bad, ok := errors.AsType[*badRow](err); errors.Is(err, io.EOF) || ok && bad.unended || err == nil && !r.ended {
			return keep, nil
		}
		if err != nil {
			return 0, fmt.Errorf("what was written: %w", err)
		}
		asked, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return 0, fmt.Errorf("line %d of what was written is beyond the end of the input: begin anew with --force", r.line)
		case err != nil:
			return 0, err
		case !output.belongs(r, asked.row):
			return 0, errForeignRow("what was written", r.line, asked.line)
		}
		each(output.result(r))
		keep = r.next
	}
}

// trimZeros gives the size of a file without the zeros at its end: what some file systems leave of an addition when the
// power fails.
func trimZeros(file io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, 4096)
	for size > 0 {
		begin := max(size-int64(len(block)), 0)
		n, err := file.ReadAt(block[:size-begin], begin)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if text := bytes.TrimRight(block[:n], "\x00"); len(text) > 0 {
			return begin + int64(len(text)), nil
		}
		size = begin
	}
	return 0, nil
}
