# What an account has before the first deploy: a bucket for the state, one for the artefacts, and their key.
# Both buckets stand already when Terraform comes (scripts/bootstrap.sh makes them empty, in one call each) and
# are adopted: the state of this module lies in the first of them.

locals {
  buckets = {
    state     = var.state_bucket
    artefacts = var.artefact_bucket
  }

  bucket_arns = { for name, bucket in local.buckets : name => "arn:${var.deployment.partition}:s3:::${bucket}" }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:who reads state and artefacts is in CloudTrail's data events, for which the account decides
  #checkov:skip=CKV_AWS_144:the account is made anew from the code; versions keep older states
  #checkov:skip=CKV2_AWS_62:nothing waits for an object
  for_each = local.buckets

  bucket = each.value

  lifecycle {
    # Without the state nobody knows what stands; without the artefacts nobody can go back.
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# A key that is used once for many objects: the state is written twice a deploy, and read by every plan.
resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

# Old versions are the way back from a broken state; a lock that was released leaves one each time.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "forget-old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 365
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # Lifecycle rules for old versions need versioning in place first.
  depends_on = [aws_s3_bucket_versioning.this]
}

data "aws_iam_policy_document" "encrypted_transport" {
  for_each = local.buckets

  statement {
    sid     = "DenyPlainHttp"
    effect  = "Deny"
    actions = ["s3:*"]

    principals {
      type        = "*"
      identifiers = ["*"] # a denial, so everybody is the strictest choice
    }

    resources = [local.bucket_arns[each.key], "${local.bucket_arns[each.key]}/*"]

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  # The emulator speaks plain HTTP, and with its authorisation on it would deny even the deployment.
  for_each = var.emulated ? {} : local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  policy = data.aws_iam_policy_document.encrypted_transport[each.key].json

  # AWS answers a policy and a public access block written at the same moment with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:in a key's policy a star is this key, and the account must keep every action
  #checkov:skip=CKV_AWS_111:the same
  #checkov:skip=CKV_AWS_356:the same
  # Without it the key could be managed by nobody: permissions then come from roles, as for anything else.
  # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
  statement {
    sid       = "RolesOfTheAccountMayBeGrantedIt"
    actions   = ["kms:*"]
    resources = ["*"] # in a key's own policy: this key

    principals {
      type        = "AWS"
      identifiers = ["arn:${var.deployment.partition}:iam::${var.deployment.account_id}:root"]
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "State and artefacts of ${var.deployment.name_prefix}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "this" {
  name          = local.key_alias
  target_key_id = aws_kms_key.this.key_id
}

# Only what this profile signed may then run (variable code_signing_profile_version_arn of the root).
resource "aws_signer_signing_profile" "this" {
  for_each = toset(var.code_signing ? ["lambda"] : [])

  # Letters, digits and underscores alone.
  name        = replace("${var.deployment.name_prefix}_lambda", "-", "_")
  platform_id = "AWSLambda-SHA384-ECDSA"

  signature_validity_period {
    type  = "MONTHS"
    value = 135 # the most there is: a function that runs must not stop being deployable
  }
}
