//go:build race

package cli_test

// buildFlags has the program watch for races when the tests do.
var buildFlags = []string{"-race"}
