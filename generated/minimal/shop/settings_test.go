// Yours. Written once by blueprint, which leaves it alone from now on.

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
