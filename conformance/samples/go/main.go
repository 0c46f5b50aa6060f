// Command sample serves what the platform expects of a program.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

var version = "0.0.0"

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	service, metrics := http.NewServeMux(), http.NewServeMux()
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, text) }
	}
	service.Handle("GET /livez", answer("alive"))
	service.Handle("GET /readyz", answer("ready"))
	metrics.Handle("GET /metrics", answer(fmt.Sprintf("sum %d", add(1, 2))))
	servers := []*http.Server{
		{Addr: ":" + os.Getenv("PORT"), Handler: service, ReadHeaderTimeout: time.Second},
		{Addr: ":" + os.Getenv("METRICS_PORT"), Handler: metrics, ReadHeaderTimeout: time.Second},
	}
	for _, server := range servers {
		go func() { slog.Info("ended", "version", version, "error", server.ListenAndServe()) }()
	}
	slog.Info("starts", "version", version)
	<-ended.Done()
	for _, server := range servers {
		_ = server.Shutdown(context.Background())
	}
}

func add(a, b int) int {
	return a + b
}
