// Package cli is the command line: it reads the configuration, wires the other packages together and runs the
// commands. It knows everybody and decides nothing.
package cli
