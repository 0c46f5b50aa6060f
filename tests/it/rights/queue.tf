resource "aws_sqs_queue" "orders" {
  name                      = "${local.name}-orders"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}
