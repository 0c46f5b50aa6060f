// Yours. Written once by blueprint, which leaves it alone from now on.

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// How often the database is asked while it answers, and how long it may take: together less than the 5 seconds in
	// which readiness must follow.
	askEvery  = 2 * time.Second
	askWithin = 2 * time.Second
	// How long to wait while it does not answer: twice as long each time, so that many pods do not hold it down.
	firstRetry   = 250 * time.Millisecond
	longestRetry = 4 * time.Second

	maxConnections = 10
)

// openDatabase connects when it is first asked. A server that cannot prove its name is refused: there is no way back to a
// connection without TLS.
func openDatabase(settings databaseSettings) (*sql.DB, error) {
	bundle, err := os.ReadFile(settings.authorities)
	if err != nil {
		return nil, fmt.Errorf("the database's authorities: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("%s holds no certificate", settings.authorities)
	}
	port, err := strconv.ParseUint(settings.port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_PORT: %w", err)
	}
	config, err := pgx.ParseConfig("")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port = settings.host, uint16(port)
	config.Database, config.User, config.Password = settings.name, settings.username, settings.password
	config.TLSConfig = &tls.Config{RootCAs: authorities, ServerName: settings.host, MinVersion: tls.VersionTLS12}
	config.Fallbacks = nil
	config.ConnectTimeout = askWithin
	config.RuntimeParams["application_name"] = application
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	// After a failover the name leads to another server, and old connections to one that only reads.
	pool.SetConnMaxLifetime(5 * time.Minute)
	return pool, nil
}

// watch knows whether the database answers, so that a probe need not wait for it.
type watch struct {
	ping     func(context.Context) error
	answered atomic.Bool
}

func newWatch(ping func(context.Context) error) *watch {
	return &watch{ping: ping}
}

// run asks until the end.
func (w *watch) run(end context.Context) {
	retry := firstRetry
	for {
		pause := askEvery
		err := w.ask(end)
		if end.Err() != nil {
			return
		}
		answered := w.answered.Swap(err == nil)
		switch {
		case err == nil && !answered:
			slog.Info("the database answers")
		case err != nil && (answered || retry == firstRetry):
			slog.Error("the database does not answer", "error", err)
		}
		if err != nil {
			// A random part, for the pods of a deployment start together.
			pause = retry/2 + rand.N(retry/2)
			retry = min(2*retry, longestRetry)
		} else {
			retry = firstRetry
		}
		select {
		case <-end.Done():
			return
		case <-time.After(pause):
		}
	}
}

// ask waits for an answer, but not for long.
func (w *watch) ask(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return w.ping(within)
}

func (w *watch) reachable() bool {
	return w.answered.Load()
}

func (w *watch) gauge() float64 {
	if w.reachable() {
		return 1
	}
	return 0
}
