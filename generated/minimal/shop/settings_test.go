// Created once by blueprint. Edit freely: renders do not change this file.

package main

import (
	"testing"
)

func TestSettingsComeFromTheEnvironment(t *testing.T) {
	names := map[string]string{"PORT": "1", "METRICS_PORT": "2"}
	it := readSettings(func(name string) string { return names[name] })
	if it.port != "1" || it.metricsPort != "2" {
		t.Errorf("read %+v", it)
	}
}
