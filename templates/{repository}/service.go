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
	livenessPath  = "#{ application.liveness }#"
	readinessPath = "#{ application.readiness }#"
	metricsPath   = "#{ application.metrics.path }#"
)

// service is what answers requests.
type service struct {
#%- if application.database.is_some() %#
	database *watch
#%- endif %#
	draining atomic.Bool
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}
#%- if application.database.is_some() %#

func newService(database *watch) *service {
#%- else %#

func newService() *service {
#%- endif %#
	it := &service{
#%- if application.database.is_some() %#
		database: database,
#%- endif %#
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total",
			Help: "Requests that were answered, but those of probes.",
		}, []string{"code", "method"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "How long an answer took, but those to probes.",
			Buckets: prometheus.DefBuckets,
		}, []string{"code", "method"}),
	}
	it.registry.MustRegister(
		it.requests,
		it.duration,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
#%- if application.database.is_some() %#
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "database_reachable",
			Help: "1 if the database answered when it was asked last.",
		}, database.gauge),
#%- endif %#
	)
	return it
}

// drain makes this the last request of each connection, and takes the pod out of the Service.
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
		// Probes come often and say nothing about users: they are neither counted nor logged.
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

// live asks nobody: a restart would not bring a database back.
func (s *service) live(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, "alive")
}

func (s *service) ready(w http.ResponseWriter, _ *http.Request) {
	switch {
	case s.draining.Load():
		answer(w, http.StatusServiceUnavailable, "draining")
#%- if application.database.is_some() %#
	case !s.database.reachable():
		answer(w, http.StatusServiceUnavailable, "the database does not answer")
#%- endif %#
	default:
		answer(w, http.StatusOK, "ready")
	}
}

func (s *service) home(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/":
		answer(w, http.StatusNotFound, "there is nothing here")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		answer(w, http.StatusMethodNotAllowed, "ask by GET")
#%- if application.database.is_some() %#
	default:
		// The reason is for the log, not for whoever asks.
		if err := s.database.ask(r.Context()); err != nil {
			slog.Error("the database does not answer", "error", err)
			answer(w, http.StatusServiceUnavailable, "the database does not answer")
			return
		}
		answer(w, http.StatusOK, "the database answers")
#%- else %#
	default:
		answer(w, http.StatusOK, "hello")
#%- endif %#
	}
}

func answer(w http.ResponseWriter, status int, words string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A client that went away needs no answer.
	_ = json.NewEncoder(w).Encode(map[string]string{"application": application, "status": words})
}

// logged writes one line for each request.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin, kept := time.Now(), &status{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(kept, r)
		slog.Info("answered", "method", r.Method, "path", r.URL.Path, "status", kept.code,
			"seconds", time.Since(begin).Seconds())
	})
}

// status remembers which one was sent.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController find what lies below.
func (s *status) Unwrap() http.ResponseWriter {
	return s.ResponseWriter
}
