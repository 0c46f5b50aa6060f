// Created once by blueprint. Edit freely: renders do not change this file.

package main

// settings are read from environment variables.
type settings struct {
	port        string
	metricsPort string
}

func readSettings(environment func(string) string) settings {
	read := func(name, standard string) string {
		if value := environment(name); value != "" {
			return value
		}
		return standard
	}
	return settings{
		port:        read("PORT", "8080"),
		metricsPort: read("METRICS_PORT", "9090"),
	}
}
