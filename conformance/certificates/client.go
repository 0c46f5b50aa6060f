// Opens one connection over TLS that trusts a file: `go run client.go FILE PORT`.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"log"
	"os"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	connection, err := tls.Dial("tcp", "127.0.0.1:"+os.Args[2], &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		log.Fatal(err)
	}
	_ = connection.Close()
}
