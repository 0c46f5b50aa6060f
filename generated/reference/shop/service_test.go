// Created once by blueprint. Edit freely: renders do not change this file.

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// serving is a service with a fake database.
func serving(t *testing.T, failure error) (*service, *httptest.Server) {
	t.Helper()
	database := newWatch(func(context.Context) error { return failure })
	database.answered.Store(failure == nil)
	it := newService(database)
	server := httptest.NewServer(it.handler())
	t.Cleanup(server.Close)
	return it, server
}

func ask(t *testing.T, client *http.Client, method, url string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestEachPathHasItsStatus(t *testing.T) {
	_, up := serving(t, nil)
	_, down := serving(t, errors.New("gone"))
	for _, it := range []struct {
		server       *httptest.Server
		method, path string
		status       int
	}{
		{up, http.MethodGet, livenessPath, http.StatusOK},
		{up, http.MethodGet, readinessPath, http.StatusOK},
		{up, http.MethodGet, "/", http.StatusOK},
		{up, http.MethodHead, "/", http.StatusOK},
		{up, http.MethodPost, "/", http.StatusMethodNotAllowed},
		{up, http.MethodGet, "/nowhere", http.StatusNotFound},
		// Metrics are only on their own port.
		{up, http.MethodGet, metricsPath, http.StatusNotFound},
		{down, http.MethodGet, livenessPath, http.StatusOK},
		{down, http.MethodGet, readinessPath, http.StatusServiceUnavailable},
		{down, http.MethodGet, "/", http.StatusServiceUnavailable},
	} {
		response, body := ask(t, it.server.Client(), it.method, it.server.URL+it.path)
		if response.StatusCode != it.status {
			t.Errorf("%s %s: %d, not %d", it.method, it.path, response.StatusCode, it.status)
		}
		if strings.Contains(body, "gone") {
			t.Errorf("%s %s sends the reason to the client: %s", it.method, it.path, body)
		}
	}
}

func TestDrainingEndsConnectionsWithAnAnswer(t *testing.T) {
	it, server := serving(t, nil)
	if response, _ := ask(t, server.Client(), http.MethodGet, server.URL); response.Close {
		t.Error("the connection is closed too early")
	}
	it.drain()
	response, _ := ask(t, server.Client(), http.MethodGet, server.URL)
	if response.StatusCode != http.StatusOK || !response.Close {
		t.Errorf("status %d, connection closed: %t", response.StatusCode, response.Close)
	}
	response, _ = ask(t, server.Client(), http.MethodGet, server.URL+readinessPath)
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("still ready: %d", response.StatusCode)
	}
	response, _ = ask(t, server.Client(), http.MethodGet, server.URL+livenessPath)
	if response.StatusCode != http.StatusOK {
		t.Errorf("not alive: %d", response.StatusCode)
	}
}

func TestRequestsAreCountedButNoProbes(t *testing.T) {
	it, server := serving(t, nil)
	for _, path := range []string{"/", livenessPath, readinessPath} {
		ask(t, server.Client(), http.MethodGet, server.URL+path)
	}
	metrics := httptest.NewServer(it.metrics())
	defer metrics.Close()
	_, body := ask(t, metrics.Client(), http.MethodGet, metrics.URL+metricsPath)
	for _, line := range []string{
		`http_requests_total{code="200",method="get"} 1`,
		`http_request_duration_seconds_count{code="200",method="get"} 1`,
		"database_reachable 1",
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no %s in:\n%s", line, body)
		}
	}
}
