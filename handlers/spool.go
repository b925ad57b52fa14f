package handlers

import (
	"io"
	"os"
	"sync"
)

// spool is a file of what does not belong into memory. It is readable for us alone. Where the system lets an open file
// have no name it has none, so that not even a crash leaves it behind.
type spool struct {
	file  *os.File
	named bool // the system does not let it have no name

	mu    sync.Mutex
	size  int64
	users int  // who read it
	gone  bool // it is closed when nobody reads it any more
}

func newSpool(folder string) (*spool, error) {
	file, err := os.CreateTemp(folder, "linkbroker-batch-*")
	if err != nil {
		return nil, err
	}
	return &spool{file: file, named: os.Remove(file.Name()) != nil}, nil
}

// Write appends to it.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size += int64(n)
	return n, err
}

// open gives what was written so far. It stays readable until done, also if it is discarded meanwhile.
func (s *spool) open() (content *io.SectionReader, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
	return io.NewSectionReader(s.file, 0, s.size), sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.users--
		s.close()
	})
}

// discard forgets it.
func (s *spool) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone {
		s.gone = true
		s.close()
	}
}

func (s *spool) close() {
	if s.gone && s.users == 0 {
		s.file.Close()
		if s.named {
			_ = os.Remove(s.file.Name())
		}
	}
}
