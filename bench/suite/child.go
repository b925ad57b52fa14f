package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// child is a process that the suite has started.
type child struct {
	name  string
	cmd   *exec.Cmd
	log   string // the file of what it says
	ended chan struct{}
}

// start runs a program in a folder of its own, in which it can leave what it likes.
func (b *bench) start(ctx context.Context, name, folder, program string, args ...string) (*child, error) {
	c := &child{name: name, log: filepath.Join(b.dir, name+".log"), ended: make(chan struct{})}
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = folder, log, log
	// Ctrl-C reaches the suite alone, which then stops its children in their order; they end with it whatever happens.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // why it ended stands in its log
	}()
	b.children = append(b.children, c)
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends it and all that it has started.
func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-timer.C:
		_ = syscall.Kill(-c.pid(), syscall.SIGKILL)
		<-c.ended
	}
}

// answering waits until something accepts connections at the address.
func (c *child) answering(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute) // a large store has to be opened and looked through
	defer cancel()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-every.C:
		case <-c.ended:
			return fmt.Errorf("%s has ended: %s", c.name, c.lastWords())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// lastWords are the end of its log.
func (c *child) lastWords() string {
	data, _ := os.ReadFile(c.log)
	return string(data[max(0, len(data)-1000):])
}

// freeAddress gives an address that nobody listens at.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func freePort(ctx context.Context) (host, port string, err error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return "", "", err
	}
	return net.SplitHostPort(address)
}
