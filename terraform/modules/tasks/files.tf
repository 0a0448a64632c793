# Files of the tasks. The account and the region make the name unique in its partition.
#
#   reports/    what the application uploads for its reports, and what the processor made of it
#   users/      whom user ids stand for, where the application does not say the address itself
#   templates/  mail templates that are not part of a package
#   exports/    reports that were generated; they go after a while
#   tasks/      arguments too large for a message; they outlive the message and its dead letter

module "files_bucket" {
  source = "../bucket"

  name          = "${var.deployment.name_prefix}-files-${var.deployment.account_id}-${var.deployment.region}"
  kms_key_arn   = lookup(var.deployment.keys, "data", null)
  force_destroy = !var.protect_data
  emulated      = var.emulated
}

resource "aws_s3_bucket_lifecycle_configuration" "files" {
  bucket = module.files_bucket.name

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
}

locals {
  # A message and its dead letter live 14 days together at most; a dead letter that was sent back, 14 more.
  argument_days = 30
}
