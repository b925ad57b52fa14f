// Command peers serves what linkbroker is compared with: servers that answer a constant, and the broker that a team
// would write in an afternoon. It is a module of its own, so that the product knows nothing of Redis.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	listen, answers, db, redis, upstream string
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("want one of: nethttp, gin, bolt, redis")
	}
	var s settings
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "`address` to listen on")
	flags.StringVar(&s.answers, "answers", "answers.json", "`file` with what nethttp and gin answer")
	flags.StringVar(&s.db, "db", "links.db", "`file` in which bolt keeps links")
	flags.StringVar(&s.redis, "redis", "127.0.0.1:6379", "`address` at which redis keeps links")
	flags.StringVar(&s.upstream, "upstream", "", "`URL` of WeChat, for bolt and redis")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	handler, closing, err := s.handler(args[0])
	if err != nil {
		return err
	}
	return errors.Join(serve(ctx, s.listen, handler), closing())
}

func (s settings) handler(name string) (h http.Handler, closing func() error, err error) {
	closing = func() error { return nil }
	switch name {
	case "nethttp", "gin":
		answers, err := readAnswers(s.answers)
		if err != nil {
			return nil, nil, err
		}
		if name == "gin" {
			return ginConstant(answers), closing, nil
		}
		return constant(answers), closing, nil
	case "bolt":
		links, err := openBolt(s.db)
		if err != nil {
			return nil, nil, err
		}
		return newService(links, s.upstream).routes(), links.Close, nil
	case "redis":
		links := openRedis(s.redis)
		return newService(links, s.upstream).routes(), links.Close, nil
	default:
		return nil, nil, fmt.Errorf("there is no peer %q", name)
	}
}

func serve(ctx context.Context, address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}
