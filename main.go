// Command linkbroker is a caching link broker for WeChat mini programs.
package main

import (
	"os"

	"linkbroker/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr)) }
