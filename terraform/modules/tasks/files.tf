# Files of the tasks. The account and the region make the name unique in its partition.
#
#   reports/    what the application uploads for its reports, and what the processor made of it
#   users/      whom user ids stand for, where the application does not say the address itself
#   templates/  mail templates that are not part of a package
#   exports/    reports that were generated; they go after a while
#   tasks/      arguments too large for a message; they outlive the message and its dead letter

resource "aws_s3_bucket" "files" {
  #checkov:skip=CKV_AWS_19:encrypted below, with a key by variable; checkov cannot tell which
  #checkov:skip=CKV_AWS_145:the same
  #checkov:skip=CKV_AWS_18:who reads files is in CloudTrail's data events, for which the account decides
  #checkov:skip=CKV_AWS_144:the application holds what it uploaded; a copy elsewhere would be one more place to erase from
  #checkov:skip=CKV2_AWS_62:nothing waits for an object: the application sends a task when it has uploaded
  bucket        = "${var.deployment.name_prefix}-files-${var.deployment.account_id}-${var.deployment.region}"
  force_destroy = !var.protect_data
}

resource "aws_s3_bucket_public_access_block" "files" {
  bucket                  = aws_s3_bucket.files.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "files" {
  bucket = aws_s3_bucket.files.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "files" {
  bucket = aws_s3_bucket.files.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = contains(keys(var.deployment.keys), "data") ? "aws:kms" : "AES256"
      kms_master_key_id = lookup(var.deployment.keys, "data", null)
    }

    # One call to KMS for many objects.
    bucket_key_enabled = contains(keys(var.deployment.keys), "data")
  }
}

resource "aws_s3_bucket_versioning" "files" {
  bucket = aws_s3_bucket.files.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "files" {
  bucket = aws_s3_bucket.files.id

  dynamic "rule" {
    for_each = { exports = var.files.export_days, tasks = local.argument_days }

    content {
      id     = "forget-${rule.key}"
      status = "Enabled"

      filter {
        prefix = "${rule.key}/"
      }

      expiration {
        days = rule.value
      }
    }
  }

  rule {
    id     = "forget-old-versions"
    status = "Enabled"

    filter {
      prefix = ""
    }

    # What was deleted on purpose (an erasure) must not live on as an old version for long.
    noncurrent_version_expiration {
      noncurrent_days = 7
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # Lifecycle rules for old versions need versioning in place first.
  depends_on = [aws_s3_bucket_versioning.files]
}

data "aws_iam_policy_document" "files_encrypted_transport" {
  statement {
    sid     = "DenyPlainHttp"
    effect  = "Deny"
    actions = ["s3:*"]

    principals {
      type        = "*"
      identifiers = ["*"] # a denial, so everybody is the strictest choice
    }

    resources = [aws_s3_bucket.files.arn, "${aws_s3_bucket.files.arn}/*"]

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "files" {
  # The emulator speaks plain HTTP, and with its authorisation on it would deny even the deployment.
  for_each = var.emulated ? {} : { this = data.aws_iam_policy_document.files_encrypted_transport.json }

  bucket = aws_s3_bucket.files.id
  policy = each.value

  # AWS answers a policy and a public access block written at the same moment with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.files]
}

locals {
  # A message and its dead letter live 14 days together at most; a dead letter that was sent back, 14 more.
  argument_days = 30
}
