// Created once by blueprint. Edit freely: renders do not change this file.

package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	livenessPath  = "/livez"
	readinessPath = "/readyz"
	metricsPath   = "/metrics"
)

// service answers requests.
type service struct {
	draining atomic.Bool
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newService() *service {
	it := &service{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total",
			Help: "Number of requests, except those of probes.",
		}, []string{"code", "method"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "Latency of requests, except those of probes.",
			Buckets: prometheus.DefBuckets,
		}, []string{"code", "method"}),
	}
	it.registry.MustRegister(
		it.requests,
		it.duration,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return it
}

// drain closes connections after their current request and makes the pod not ready.
func (s *service) drain() {
	s.draining.Store(true)
}

func (s *service) handler() http.Handler {
	answers := promhttp.InstrumentHandlerCounter(s.requests,
		promhttp.InstrumentHandlerDuration(s.duration, logged(http.HandlerFunc(s.home))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		// Probes are neither counted nor logged.
		switch r.URL.Path {
		case livenessPath:
			s.live(w, r)
		case readinessPath:
			s.ready(w, r)
		default:
			answers.ServeHTTP(w, r)
		}
	})
}

func (s *service) metrics() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+metricsPath, promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	return mux
}

// live checks no dependencies: a restart would not fix them.
func (s *service) live(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, "alive")
}

func (s *service) ready(w http.ResponseWriter, _ *http.Request) {
	switch {
	case s.draining.Load():
		answer(w, http.StatusServiceUnavailable, "draining")
	default:
		answer(w, http.StatusOK, "ready")
	}
}

func (s *service) home(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/":
		answer(w, http.StatusNotFound, "not found")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		answer(w, http.StatusMethodNotAllowed, "method not allowed")
	default:
		answer(w, http.StatusOK, "hello")
	}
}

func answer(w http.ResponseWriter, status int, words string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The client may have closed the connection.
	_ = json.NewEncoder(w).Encode(map[string]string{"application": application, "status": words})
}

// logged logs each request.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin, kept := time.Now(), &status{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(kept, r)
		slog.Info("answered", "method", r.Method, "path", r.URL.Path, "status", kept.code,
			"seconds", time.Since(begin).Seconds())
	})
}

// status records the status code.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap gives http.ResponseController access to the wrapped writer.
func (s *status) Unwrap() http.ResponseWriter {
	return s.ResponseWriter
}
