# Contact lists as they were uploaded. The account and the region make the name unique in its partition.

module "contacts_bucket" {
  source = "../bucket"

  name          = "${var.deployment.name_prefix}-contacts-${var.deployment.account_id}-${var.deployment.region}"
  kms_key_arn   = lookup(var.deployment.keys, "data", null)
  force_destroy = !var.protect_data
  emulated      = var.emulated
}

resource "aws_s3_bucket_lifecycle_configuration" "contacts" {
  bucket = module.contacts_bucket.name

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
}

# A browser uploads by a signed link; a program needs none of this.
resource "aws_s3_bucket_cors_configuration" "contacts" {
  bucket = module.contacts_bucket.name

  cors_rule {
    allowed_methods = ["PUT"]
    allowed_origins = [for url in var.upload_origins : regex("^https?://[^/]+", url)]
    allowed_headers = ["content-type"]
    max_age_seconds = 600
  }
}
