# Written by blueprint. Change the blueprint instead.

# Access logs of the load balancers.

# Without access logging for this bucket itself: each delivery would be logged again. CloudTrail can record who reads it.
#trivy:ignore:AWS-0089
resource "aws_s3_bucket" "load_balancer_logs" {
  # checkov:skip=CKV_AWS_18:These are access logs; logging their delivery would cause more deliveries
  # checkov:skip=CKV_AWS_144:Access logs of one region with a retention of 90 days need no replication
  # checkov:skip=CKV_AWS_145:Elastic Load Balancing supports only SSE-S3
  # checkov:skip=CKV2_AWS_62:Nothing processes these logs

  bucket = "${local.name}-lb-logs-${local.account}"

  # If deletion protection is off, a destroy also deletes the logs, because load balancers deliver logs while it runs.
  force_destroy = false
}

resource "aws_s3_bucket_ownership_controls" "load_balancer_logs" {
  bucket = aws_s3_bucket.load_balancer_logs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "load_balancer_logs" {
  bucket = aws_s3_bucket.load_balancer_logs.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Elastic Load Balancing supports only SSE-S3 for access logs.
#trivy:ignore:AWS-0132
resource "aws_s3_bucket_server_side_encryption_configuration" "load_balancer_logs" {
  bucket = aws_s3_bucket.load_balancer_logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "load_balancer_logs" {
  bucket = aws_s3_bucket.load_balancer_logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "load_balancer_logs" {
  bucket = aws_s3_bucket.load_balancer_logs.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = 90
    }

    noncurrent_version_expiration {
      noncurrent_days = 7
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.load_balancer_logs]
}

resource "aws_s3_bucket_policy" "load_balancer_logs" {
  bucket = aws_s3_bucket.load_balancer_logs.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.load_balancer_logs.arn}/AWSLogs/${local.account}/*"
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.load_balancer_logs.arn, "${aws_s3_bucket.load_balancer_logs.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.load_balancer_logs]
}
