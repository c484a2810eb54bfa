{{- define "telemetry.name" -}}
{{- default "telemetry" .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Room for "-console" and a StatefulSet's hash within 63 characters. */}}
{{- define "telemetry.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "telemetry.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "telemetry.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "telemetry.selector" -}}
app.kubernetes.io/name: {{ include "telemetry.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "telemetry.labels" -}}
{{ include "telemetry.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "telemetry.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "telemetry.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "telemetry.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* What a pod template has above its containers. */}}
{{- define "telemetry.podMetadata" -}}
labels:
  {{- include "telemetry.labels" . | nindent 2 }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.extra | default dict) .values.podAnnotations .root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "telemetry.podSecurity" -}}
# Kubernetes would tell every pod of every Service as environment: a Service telemetry-gateway becomes
# TELEMETRY_GATEWAY_PORT=tcp://…, which is an option of ours.
enableServiceLinks: false
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "telemetry.pod" -}}
serviceAccountName: {{ include "telemetry.serviceAccount" .root }}
{{ include "telemetry.podSecurity" . }}
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if kindIs "string" .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "telemetry.selector" $ | nindent 8 }}
  {{- end }}
{{- else if .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- end }}
{{- end }}

{{- define "telemetry.container" -}}
image: {{ include "telemetry.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- with .root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
{{- end }}

{{/* Ends an env list: what the user sets goes last and wins. */}}
{{- define "telemetry.extraEnv" -}}
{{- with concat .root.Values.extraEnv (.values.extraEnv | default list) }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "telemetry.kafkaEnv" -}}
- name: TELEMETRY_KAFKA_BOOTSTRAP
  value: {{ .Values.kafka.bootstrap | quote }}
{{- end }}

{{/* .account: writer or reader */}}
{{- define "telemetry.clickhouseEnv" -}}
- name: TELEMETRY_CLICKHOUSE_URL
  value: {{ .root.Values.clickhouse.url | quote }}
- name: TELEMETRY_CLICKHOUSE_USER
  value: {{ (get .root.Values.clickhouse .account).user | quote }}
- name: TELEMETRY_CLICKHOUSE_PASSWORD_FILE
  value: /etc/telemetry/secrets/{{ .account }}/clickhouse-password
{{- end }}

{{- define "telemetry.clickhouseMount" -}}
- name: clickhouse-{{ .account }}
  mountPath: /etc/telemetry/secrets/{{ .account }}
  readOnly: true
{{- end }}

{{- define "telemetry.clickhouseVolume" -}}
- name: clickhouse-{{ .account }}
  secret:
    secretName: {{ (get .root.Values.clickhouse .account).existingSecret }}
    items:
      - key: {{ (get .root.Values.clickhouse .account).key }}
        path: clickhouse-password
{{- end }}

{{- define "telemetry.extraMounts" -}}
- name: tmp
  mountPath: /tmp
{{- with concat .root.Values.extraVolumeMounts (.values.extraVolumeMounts | default list) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "telemetry.extraVolumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with concat .root.Values.extraVolumes (.values.extraVolumes | default list) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Liveness asks the process alone; readiness asks what it needs. .port, .ready */}}
{{- define "telemetry.probes" -}}
# Whoever has not answered after ten minutes of its start is started again.
startupProbe:
  httpGet: { path: /livez, port: {{ .port }} }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 120
livenessProbe:
  httpGet: { path: /livez, port: {{ .port }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: {{ .ready }}, port: {{ .port }} }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}

{{/* The way in from outside, to a component's Service. */}}
{{- define "telemetry.ingress" -}}
{{- $name := printf "%s-%s" (include "telemetry.fullname" .root) .component }}
{{- if .values.ingress.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ $name }}
  labels:
    {{- include "telemetry.labels" . | nindent 4 }}
  {{- with .values.ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .values.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with .values.ingress.tls }}
  tls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    {{- range .values.ingress.hosts }}
    - host: {{ .host | quote }}
      http:
        paths:
          {{- range .paths }}
          - path: {{ . }}
            pathType: Prefix
            backend:
              service:
                name: {{ $name }}
                port:
                  name: http
          {{- end }}
    {{- end }}
{{- end }}
{{- end }}
