# Contact lists as they were uploaded. The account and the region make the name unique in its partition.

resource "aws_s3_bucket" "contacts" {
  #checkov:skip=CKV_AWS_19:encrypted below, with a key by variable; checkov cannot tell which
  #checkov:skip=CKV_AWS_145:the same; terraform/tests/keys_have_one_purpose_each.tftest.hcl holds it
  #checkov:skip=CKV_AWS_18:who reads lists is in CloudTrail's data events, for which the account decides
  #checkov:skip=CKV_AWS_144:lists can be uploaded again; a copy elsewhere would be one more place to erase people from
  #checkov:skip=CKV2_AWS_62:nothing waits for an object, the API writes them itself
  bucket        = "${var.deployment.name_prefix}-contacts-${var.deployment.account_id}-${var.deployment.region}"
  force_destroy = !var.protect_data
}

resource "aws_s3_bucket_public_access_block" "contacts" {
  bucket                  = aws_s3_bucket.contacts.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "contacts" {
  bucket = aws_s3_bucket.contacts.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "contacts" {
  bucket = aws_s3_bucket.contacts.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = contains(keys(var.deployment.keys), "data") ? "aws:kms" : "AES256"
      kms_master_key_id = lookup(var.deployment.keys, "data", null)
    }

    # One call to KMS for many objects.
    bucket_key_enabled = contains(keys(var.deployment.keys), "data")
  }
}

resource "aws_s3_bucket_versioning" "contacts" {
  bucket = aws_s3_bucket.contacts.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "contacts" {
  bucket = aws_s3_bucket.contacts.id

  rule {
    id     = "forget-lists"
    status = "Enabled"

    filter {
      prefix = "lists/"
    }

    expiration {
      days = var.list_retention_days
    }

    # A list that was deleted on purpose (an erasure) must not live on as an old version for long.
    noncurrent_version_expiration {
      noncurrent_days = 7
    }
  }

  rule {
    id     = "drop-unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # An import deletes its upload when it is over; this takes what was uploaded and never started.
  rule {
    id     = "forget-uploads"
    status = "Enabled"

    filter {
      prefix = "uploads/"
    }

    expiration {
      days = 1
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # Lifecycle rules for old versions need versioning in place first.
  depends_on = [aws_s3_bucket_versioning.contacts]
}

# A browser uploads by a signed link; a program needs none of this.
resource "aws_s3_bucket_cors_configuration" "contacts" {
  bucket = aws_s3_bucket.contacts.id

  cors_rule {
    allowed_methods = ["PUT"]
    allowed_origins = [for url in var.upload_origins : regex("^https?://[^/]+", url)]
    allowed_headers = ["content-type"]
    max_age_seconds = 600
  }
}

data "aws_iam_policy_document" "contacts_encrypted_transport" {
  statement {
    sid     = "DenyPlainHttp"
    effect  = "Deny"
    actions = ["s3:*"]

    principals {
      type        = "*"
      identifiers = ["*"] # a denial, so everybody is the strictest choice
    }

    resources = [aws_s3_bucket.contacts.arn, "${aws_s3_bucket.contacts.arn}/*"]

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "contacts" {
  # The emulator speaks plain HTTP, and with its authorisation on it would deny even the deployment.
  for_each = var.emulated ? {} : { this = data.aws_iam_policy_document.contacts_encrypted_transport.json }

  bucket = aws_s3_bucket.contacts.id
  policy = each.value

  # AWS answers a policy and a public access block written at the same moment with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.contacts]
}
