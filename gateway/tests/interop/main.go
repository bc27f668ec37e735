// Command interop checks what the gateway publishes with other people's code: a log's signed notes
// and every leaf with golang.org/x/mod/sumdb, statements with DSSE's and in-toto's own libraries.
//
//	interop log FOLDER VKEY...     every verifier key must have signed FOLDER/checkpoint
//	interop statement KEY.PEM      envelopes on standard input, one a line
package main

import (
	"fmt"
	"os"
)

func main() {
	err := fmt.Errorf("usage: interop log FOLDER VKEY... | interop statement KEY.PEM")
	if len(os.Args) > 3 && os.Args[1] == "log" {
		err = checkLog(os.Args[2], os.Args[3:])
	} else if len(os.Args) == 3 && os.Args[1] == "statement" {
		err = checkStatements(os.Args[2], os.Stdin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}
