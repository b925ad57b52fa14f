package bench

import (
	"context"
	"fmt"
	"os"
	"os/signal"
)

// Main runs a program until it ends or is interrupted, and says what went wrong.
func Main(name string, run func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
