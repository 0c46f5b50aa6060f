{{- /*
What a stand-in chart installs, for any chart: the objects whose names other objects rely on, made from the values that
the real chart's users set. No claim that the real chart renders the same.
*/ -}}
{{- $v := .Values.AsMap }}
{{- $full := include "standin.name" . }}
{{- $account := dig "serviceAccount" "name" "" $v | default $full }}
{{- $labels := dict "app.kubernetes.io/name" .Chart.Name "app.kubernetes.io/instance" .Release.Name }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $full }}-values
  namespace: {{ .Release.Namespace }}
data:
  values.yaml: {{ toYaml .Values | quote }}
{{- if dig "serviceAccount" "create" true $v }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $account }}
  namespace: {{ .Release.Namespace }}
  annotations: {{ dig "serviceAccount" "annotations" dict $v | toJson }}
{{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $full }}
  namespace: {{ .Release.Namespace }}
  labels: {{ $labels | toJson }}
spec:
  replicas: {{ dig "replicaCount" (dig "replicas" 1 $v) $v }}
  selector:
    matchLabels: {{ $labels | toJson }}
  template:
    metadata:
      labels: {{ merge (dict) $labels (.Values.podLabels | default dict) | toJson }}
    spec:
      serviceAccountName: {{ $account }}
      priorityClassName: {{ .Values.priorityClassName | default "" | quote }}
      nodeSelector: {{ .Values.nodeSelector | default dict | toJson }}
      tolerations: {{ .Values.tolerations | default list | toJson }}
      affinity: {{ .Values.affinity | default dict | toJson }}
      topologySpreadConstraints: {{ .Values.topologySpreadConstraints | default list | toJson }}
      securityContext: {{ mergeOverwrite (dict "runAsNonRoot" true "runAsUser" 65534 "seccompProfile" (dict "type" "RuntimeDefault")) (.Values.podSecurityContext | default dict) | toJson }}
      containers:
        - name: {{ .Chart.Name }}
          image: standin.invalid/{{ .Chart.Name }}:{{ .Chart.Version | replace "+" "_" }}
          resources: {{ .Values.resources | default dict | toJson }}
          securityContext: {{ mergeOverwrite (dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL"))) (.Values.securityContext | default dict) | toJson }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $full }}
  namespace: {{ .Release.Namespace }}
  labels: {{ $labels | toJson }}
spec:
  selector: {{ $labels | toJson }}
  ports:
    - {name: http, port: 443, targetPort: 8443}
{{- with .Values.podDisruptionBudget }}
{{- if or (hasKey . "minAvailable") (hasKey . "maxUnavailable") }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $full }}
  namespace: {{ $.Release.Namespace }}
spec:
  selector:
    matchLabels: {{ $labels | toJson }}
  {{- if hasKey . "minAvailable" }}
  minAvailable: {{ .minAvailable }}
  {{- else }}
  maxUnavailable: {{ .maxUnavailable }}
  {{- end }}
{{- end }}
{{- end }}
{{- if eq .Chart.Name "metrics-server" }}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata:
  name: v1beta1.metrics.k8s.io
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: {{ $full }}, namespace: {{ .Release.Namespace }}, port: 443}
{{- end }}
