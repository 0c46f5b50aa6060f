// Yours. Written once by blueprint, which leaves it alone from now on.

// Command shop answers HTTP requests.
// Whether it reaches its database, it says by `/readyz`.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Set by the linker: the release that this is.
var version = "development"

const (
	application = "shop"

	// How long requests are still taken after SIGTERM, each with the word that its connection ends. A client that reuses
	// connections learns it with an answer, not by a connection that closes under its next request.
	drainFor = 5000 * time.Millisecond
	// How long open requests may take after that. Both together stay below the 30 seconds that the platform gives it.
	stopWithin = 20000 * time.Millisecond
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	if err := run(); err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func run() error {
	stop, ignore := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer ignore()
	settings, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	database, err := openDatabase(settings.database)
	if err != nil {
		return err
	}
	defer database.Close()
	service := newService(newWatch(database.PingContext))
	go service.database.run(stop)

	public, err := listen(settings.port, service.handler())
	if err != nil {
		return err
	}
	// A port of its own: the load balancer does not know it, so nobody outside reads the metrics.
	metrics, err := listen(settings.metricsPort, service.metrics())
	if err != nil {
		return err
	}
	slog.Info("started", "version", version, "port", settings.port, "metrics_port", settings.metricsPort)

	select {
	case err := <-public.failed:
		return err
	case err := <-metrics.failed:
		return err
	case <-stop.Done():
	}
	ignore() // a second signal ends it at once
	slog.Info("draining", "for", drainFor.String())
	service.drain()
	time.Sleep(drainFor)
	within, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if err := public.Shutdown(within); err != nil {
		return fmt.Errorf("requests were still open: %w", err)
	}
	slog.Info("stopped")
	return metrics.Close()
}

// server is one that listens.
type server struct {
	*http.Server
	failed chan error
}

func listen(port string, handler http.Handler) (*server, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("", port))
	if err != nil {
		return nil, err
	}
	it := &server{
		Server: &http.Server{
			Handler:           handler,
			ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelError),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       30 * time.Second,
			WriteTimeout:      30 * time.Second,
			// Longer than the 60 seconds for which a load balancer keeps an idle connection: the side that may send the
			// next request must be the one that closes it.
			IdleTimeout:    75 * time.Second,
			MaxHeaderBytes: 32 << 10,
		},
		failed: make(chan error, 1),
	}
	go func() {
		if err := it.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			it.failed <- err
		}
	}()
	return it, nil
}
