// Created once by blueprint. Edit freely: renders do not change this file.

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
	// Interval and timeout of the database check: together less than the 5 seconds within which readiness must change.
	askEvery  = 2 * time.Second
	askWithin = 2 * time.Second
	// Exponential backoff while the database does not answer, so that many pods do not overload it.
	firstRetry   = 250 * time.Millisecond
	longestRetry = 4 * time.Second

	maxConnections = 10
)

// openDatabase connects lazily. A server whose certificate does not match its host name is rejected: there is no fallback to a
// connection without TLS.
func openDatabase(settings databaseSettings) (*sql.DB, error) {
	bundle, err := os.ReadFile(settings.authorities)
	if err != nil {
		return nil, fmt.Errorf("certificate authorities of the database: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("%s contains no certificate", settings.authorities)
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
	// After a failover, old connections lead to a server that is read-only.
	pool.SetConnMaxLifetime(5 * time.Minute)
	return pool, nil
}

// watch checks the database in the background, so that probes do not wait for it.
type watch struct {
	ping     func(context.Context) error
	answered atomic.Bool
}

func newWatch(ping func(context.Context) error) *watch {
	return &watch{ping: ping}
}

// run checks the database until the context ends.
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
			// Jitter, because the pods of a Deployment start at the same time.
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

// ask pings the database, with a timeout.
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
