{{- /*
The parts of kube-prometheus-stack 88.5.3 by which others find them: names, labels, ports, accounts, budgets, the Secret of Grafana's
login, what the node exporter takes of its node. StatefulSets stand here for what the operator would make of its custom resources,
without their claims. No claim that the real chart renders the rest the same.

Sources: prometheus-community/helm-charts@cf408a290aec, charts/{kube-prometheus-stack,kube-state-metrics,prometheus-node-exporter}:
values.yaml, templates/{_helpers.tpl,prometheus-operator,prometheus,alertmanager}; grafana-community/helm-charts@3386a1156177,
charts/grafana. The labels of the operator's pods: the description of `podMetadata` in its definitions.
*/ -}}
{{- $v := .Values.AsMap }}
{{- $full := include "standin.name" . | trunc 26 | trimSuffix "-" }}
{{- $release := .Release.Name }}
{{- $space := .Values.namespaceOverride | default .Release.Namespace }}
{{- $parts := list }}

{{- if dig "prometheusOperator" "enabled" true $v }}
  {{- $name := printf "%s-operator" $full }}
  {{- $selector := dict "app" (printf "%s-operator" .Chart.Name) "release" $release }}
  {{- $labels := merge (dict "app.kubernetes.io/name" (printf "%s-prometheus-operator" .Chart.Name) "app.kubernetes.io/component" "prometheus-operator" "app.kubernetes.io/instance" $release) $selector }}
  {{- $parts = append $parts (dict "kind" "Deployment" "name" $name "space" $space "service" $name "account" $name "selector" $selector "labels" $labels
        "values" (dig "prometheusOperator" dict $v) "ofAccount" (dig "prometheusOperator" "serviceAccount" dict $v)
        "port" (list "https" 443 "https" "https" 10250)) }}
{{- end }}

{{- range $each := list "prometheus" "alertmanager" }}
  {{- if dig $each "enabled" true $v }}
    {{- $name := printf "%s-%s" $full $each }}
    {{- $number := ternary 9090 9093 (eq $each "prometheus") }}
    {{- $selector := dict "app.kubernetes.io/name" $each (ternary "operator.prometheus.io/name" "alertmanager" (eq $each "prometheus")) $name }}
    {{- $labels := merge (dict "app.kubernetes.io/instance" $name "app.kubernetes.io/managed-by" "prometheus-operator") $selector }}
    {{- $budget := dig $each "podDisruptionBudget" dict $v }}
    {{- $parts = append $parts (dict "kind" "StatefulSet" "name" (printf "%s-%s" $each $name) "space" $space "service" $name "account" $name "selector" $selector "labels" $labels
          "values" (dig $each (printf "%sSpec" $each) dict $v) "ofAccount" (dig $each "serviceAccount" dict $v)
          "port" (list "http-web" $number $number "http-web" $number)
          "budget" (ternary $budget dict (dig "enabled" false $budget))) }}
  {{- end }}
{{- end }}

{{- range $each := list
      (dict "chart" "grafana" "switch" "grafana" "kind" "Deployment" "port" (list "http-web" 80 "grafana" "grafana" 3000))
      (dict "chart" "kube-state-metrics" "switch" "kubeStateMetrics" "kind" "Deployment" "port" (list "http" 8080 "http" "http" 8080))
      (dict "chart" "prometheus-node-exporter" "switch" "nodeExporter" "kind" "DaemonSet" "port" (list "http-metrics" 9100 9100 "http-metrics" 9100)) }}
  {{- if dig $each.switch "enabled" true $v }}
    {{- $values := dig $each.chart dict $v }}
    {{- $name := $values.fullnameOverride | default (printf "%s-%s" $release $each.chart) }}
    {{- $selector := dict "app.kubernetes.io/name" $each.chart "app.kubernetes.io/instance" $release }}
    {{- $parts = append $parts (dict "kind" $each.kind "name" $name "space" ($values.namespaceOverride | default $.Release.Namespace) "service" $name "account" $name "selector" $selector "labels" $selector
          "values" $values "ofAccount" (dig "serviceAccount" dict $values) "port" $each.port "budget" (dig "podDisruptionBudget" dict $values)) }}
  {{- end }}
{{- end }}

apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $full }}-values
  namespace: {{ .Release.Namespace }}
data:
  values.yaml: {{ toYaml .Values | quote }}
{{- range $parts }}
{{- $values := .values }}
{{- $made := dig "create" true .ofAccount }}
{{- $account := dig "name" "" .ofAccount | default (ternary .account "default" $made) }}
{{- if $made }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $account }}
  namespace: {{ .space }}
  annotations: {{ dig "annotations" dict .ofAccount | toJson }}
{{- end }}
---
apiVersion: apps/v1
kind: {{ .kind }}
metadata:
  name: {{ .name }}
  namespace: {{ .space }}
  labels: {{ .labels | toJson }}
spec:
  {{- if ne .kind "DaemonSet" }}
  replicas: {{ dig "replicas" 1 $values }}
  {{- end }}
  {{- if eq .kind "StatefulSet" }}
  podManagementPolicy: Parallel
  serviceName: {{ .service }}
  {{- end }}
  selector:
    matchLabels: {{ .selector | toJson }}
  template:
    metadata:
      labels: {{ merge (dict) .labels (dig "podLabels" dict $values) | toJson }}
    spec:
      serviceAccountName: {{ $account }}
      priorityClassName: {{ dig "priorityClassName" "" $values | quote }}
      nodeSelector: {{ dig "nodeSelector" dict $values | toJson }}
      affinity: {{ dig "affinity" dict $values | toJson }}
      topologySpreadConstraints: {{ dig "topologySpreadConstraints" list $values | toJson }}
      securityContext: {{ mergeOverwrite (dict "runAsNonRoot" true "runAsUser" 65534 "seccompProfile" (dict "type" "RuntimeDefault")) (omit (dig "securityContext" dict $values) "enabled") | toJson }}
      {{- if eq .kind "DaemonSet" }}
      hostNetwork: {{ dig "hostNetwork" true $values }}
      hostPID: {{ dig "hostPID" true $values }}
      tolerations: {{ dig "tolerations" (list (dict "operator" "Exists" "effect" "NoSchedule")) $values | toJson }}
      volumes:
        - {name: proc, hostPath: {path: /proc}}
        - {name: sys, hostPath: {path: /sys}}
        - {name: root, hostPath: {path: /}}
      {{- else }}
      tolerations: {{ dig "tolerations" list $values | toJson }}
      volumes: {{ dig "volumes" list $values | toJson }}
      {{- end }}
      containers:
        - name: {{ .account }}
          image: standin.invalid/{{ .account }}:{{ $.Chart.Version | replace "+" "_" }}
          {{- with dig "admin" "existingSecret" "" $values }}
          env:
            - name: GF_SECURITY_ADMIN_USER
              valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ dig "admin" "userKey" "admin-user" $values }}}}
            - name: GF_SECURITY_ADMIN_PASSWORD
              valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ dig "admin" "passwordKey" "admin-password" $values }}}}
          {{- end }}
          ports:
            - {name: {{ index .port 3 }}, containerPort: {{ index .port 4 }}}
          resources: {{ dig "resources" dict $values | toJson }}
          securityContext: {{ mergeOverwrite (dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL"))) (dig "containerSecurityContext" dict $values) | toJson }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .service }}
  namespace: {{ .space }}
  labels: {{ .labels | toJson }}
spec:
  selector: {{ .selector | toJson }}
  ports:
    - {name: {{ index .port 0 }}, port: {{ index .port 1 }}, targetPort: {{ index .port 2 }}}
{{- $budget := omit (.budget | default dict) "enabled" }}
{{- if $budget }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .service }}
  namespace: {{ .space }}
spec: {{ merge (dict "selector" (dict "matchLabels" .selector)) $budget | toJson }}
{{- end }}
{{- end }}
