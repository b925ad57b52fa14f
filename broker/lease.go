package broker

import (
	"context"
	"time"
)

// Leaser is what a store is besides where several brokers share it. It gives the turn for a name to one of them at a time.
// A broker finds out by assertion whether its store is one.
type Leaser interface {
	// Lease takes the turn for a name, or says what is in the way. It neither waits for the turn nor tries again. An error is
	// of Code StoreFailed: the store cannot be asked, so nobody knows.
	Lease(ctx context.Context, name string) (Turn, error)

	// PutNote leaves a note under a name for which nobody takes turns, in place of an earlier one. NoteOf gives it, and an empty
	// one where there is none.
	PutNote(ctx context.Context, name string, note Note) error
	NoteOf(ctx context.Context, name string) (Note, error)

	// CurrentLink finds a link as LinkStore's Link does, past whatever this broker remembers of it.
	CurrentLink(ctx context.Context, key Key) (Link, error)

	// Share says that this broker uses something of which there is so much for all, such as WeChat's rate, and how many
	// brokers have said so within the last seconds, this one included.
	Share(ctx context.Context, name string) (brokers int, err error)
}

// Turn is the turn for a name, or what is in the way of it.
type Turn struct {
	// Leave gives the turn back; nil = it was not to be had. Until it is called the turn is kept, and renewed before it
	// ends: a broker that dies has lost it some seconds later. Who asks for the turn within the note's life is given
	// the note instead; without a note he is given the turn.
	Leave func(ctx context.Context, note Note)

	// Lost is closed when the turn was lost before it was left: the store could not be reached in time, and somebody else may
	// have it. Nil if it was not to be had.
	Lost <-chan struct{}

	// Note is what the last holder has left behind. Without one somebody else has the turn.
	Note Note

	// Over is closed when asking again makes sense, which is when the turn was left, or has ended, or nobody knows. Nil beside a
	// note, for whose end nobody waits.
	Over <-chan struct{}
}

// Note is what is left to those who come after.
type Note struct {
	Text []byte
	Life time.Duration // for which it is left; where it is read, how much of that remains
}
