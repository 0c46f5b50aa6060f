// Created once by blueprint. Edit freely: renders do not change this file.

// Command test-app answers HTTP requests.
// `/readyz` reports whether it can reach its database.
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

// The version, set by the linker.
var version = "development"

const (
	application = "test-app"

	// How long requests are accepted after SIGTERM, with `Connection: close`, so that clients do not reuse a connection that is
	// about to be closed.
	drainFor = 5000 * time.Millisecond
	// How long open requests may take after that. Both together are less than the 30 seconds before SIGKILL.
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
	// A separate port, which the load balancer does not expose.
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
	ignore() // a second signal terminates immediately
	slog.Info("draining", "for", drainFor.String())
	service.drain()
	time.Sleep(drainFor)
	within, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if err := public.Shutdown(within); err != nil {
		return fmt.Errorf("requests still open: %w", err)
	}
	slog.Info("stopped")
	return metrics.Close()
}

// server is an HTTP server with its listener.
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
			// Longer than the idle timeout of the load balancer, 60 seconds, so that the load balancer closes idle connections:
			// otherwise it could send a request on a connection that is being closed.
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
