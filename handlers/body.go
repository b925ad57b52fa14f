package handlers

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"linkbroker/broker"
)

// maxBody is the most a request for a single link may send.
const maxBody = 16 << 10

// body is a request's body in memory that is used again.
type body struct {
	space [maxBody + 1]byte // one more, to see that there is more
	n     int
}

// bodies lends out memory for bodies.
type bodies struct{ pool sync.Pool }

// read reads a request's body and lends it to use, which must not keep it.
func (b *bodies) read(r *http.Request, use func(data []byte) error) error {
	if r.ContentLength > maxBody {
		return broker.Errorf(tooLarge, "the body is larger than %d bytes", maxBody)
	}
	in, ok := b.pool.Get().(*body)
	if !ok {
		in = new(body)
	}
	defer b.pool.Put(in)
	if err := in.readFrom(r.Body); err != nil {
		return err
	}
	return use(in.space[:in.n])
}

func (b *body) readFrom(r io.Reader) error {
	b.n = 0
	for b.n < len(b.space) {
		n, err := r.Read(b.space[b.n:])
		b.n += n
		switch {
		case errors.Is(err, io.EOF) && b.n <= maxBody:
			return nil
		case err != nil && b.n <= maxBody:
			return broker.Errorf(malformed, "the body did not arrive whole")
		}
	}
	return broker.Errorf(tooLarge, "the body is larger than %d bytes", maxBody)
}
