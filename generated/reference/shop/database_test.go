// Created once by blueprint. Edit freely: renders do not change this file.

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key}
}

// file writes the certificate for DATABASE_CA_FILE.
func (a authority) file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "authorities.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (a authority) vouch(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// postgres is a fake server up to the TLS handshake, which counts the clients that trust it.
func postgres(t *testing.T, certificate tls.Certificate) (port string, trusted *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	trusted = &atomic.Int32{}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			greet(connection, certificate, trusted)
		}
	}()
	_, port, err = net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, trusted
}

func greet(connection net.Conn, certificate tls.Certificate, trusted *atomic.Int32) {
	defer connection.Close()
	var request [8]byte
	if _, err := io.ReadFull(connection, request[:]); err != nil {
		return
	}
	// TLS is supported.
	if _, err := connection.Write([]byte("S")); err != nil {
		return
	}
	encrypted := tls.Server(connection, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	// A client that trusts the server sends its startup message.
	if _, err := encrypted.Read(request[:]); err == nil {
		trusted.Add(1)
	}
}

func TestTheServerMustProveItsName(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	for _, it := range []struct {
		about       string
		certificate tls.Certificate
		trusted     bool
	}{
		{"the right one", ours.vouch(t, "localhost"), true},
		{"another name", ours.vouch(t, "elsewhere.example.com"), false},
		{"another authority", other.vouch(t, "localhost"), false},
	} {
		port, trusted := postgres(t, it.certificate)
		database, err := openDatabase(databaseSettings{
			host: "localhost", port: port, name: "n", username: "u", password: "p", authorities: ours.file(t),
		})
		if err != nil {
			t.Fatal(err)
		}
		// It always fails, because the server is not PostgreSQL; the driver may try again.
		err = database.PingContext(context.Background())
		if err == nil || (trusted.Load() > 0) != it.trusted {
			t.Errorf("%s: trusted %d times: %v", it.about, trusted.Load(), err)
		}
		database.Close()
	}
}

func TestABundleMustBeThere(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, empty + ".missing"} {
		if _, err := openDatabase(databaseSettings{port: "5432", authorities: path}); err == nil {
			t.Errorf("opens with %s", path)
		}
	}
}

func TestTheWatchFollowsTheDatabase(t *testing.T) {
	var down atomic.Bool
	var asked atomic.Int32
	it := newWatch(func(context.Context) error {
		asked.Add(1)
		if down.Load() {
			return errors.New("gone")
		}
		return nil
	})
	if it.reachable() {
		t.Error("reachable before the first check")
	}
	down.Store(true)
	end, cancel := context.WithCancel(context.Background())
	defer cancel()
	go it.run(end)
	waitFor(t, "a second try", func() bool { return asked.Load() > 1 })
	if it.reachable() {
		t.Error("reachable although it does not answer")
	}
	down.Store(false)
	waitFor(t, "an answer", it.reachable)
}

func TestAskingTakesNotLong(t *testing.T) {
	it := newWatch(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	begin := time.Now()
	if err := it.ask(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended with %v", err)
	}
	if took := time.Since(begin); took > askWithin+time.Second {
		t.Errorf("took %s", took)
	}
}

func waitFor(t *testing.T, what string, there func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if there() {
			return
		}
	}
	t.Fatalf("timeout: %s", what)
}
