# A bucket that is private, versioned, encrypted and reached over TLS alone. What it forgets, and when, its
# owner says beside it: a lifecycle is about what lies in a bucket.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_19:encrypted below, with a key by variable; checkov cannot tell which
  #checkov:skip=CKV_AWS_145:the same; terraform/tests/keys_have_one_purpose_each.tftest.hcl holds it
  #checkov:skip=CKV_AWS_18:who reads objects is in CloudTrail's data events, for which the account decides
  #checkov:skip=CKV_AWS_144:what was uploaded can be uploaded again; a copy elsewhere would be one more place to erase people from
  #checkov:skip=CKV2_AWS_61:every owner of a bucket gives it a lifecycle, in a module of its own
  #checkov:skip=CKV2_AWS_62:nothing waits for an object: whoever writes one says so itself
  bucket        = var.name
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }

    # One call to KMS for many objects.
    bucket_key_enabled = var.kms_key_arn != null
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

data "aws_iam_policy_document" "encrypted_transport" {
  statement {
    sid     = "DenyPlainHttp"
    effect  = "Deny"
    actions = ["s3:*"]

    principals {
      type        = "*"
      identifiers = ["*"] # a denial, so everybody is the strictest choice
    }

    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  # The emulator speaks plain HTTP, and with its authorisation on it would deny even the deployment.
  for_each = var.emulated ? {} : { this = data.aws_iam_policy_document.encrypted_transport.json }

  bucket = aws_s3_bucket.this.id
  policy = each.value

  # AWS answers a policy and a public access block written at the same moment with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.this]
}
