output "name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket

  # Whoever adds a lifecycle must find versioning in place.
  depends_on = [aws_s3_bucket_versioning.this]
}

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "protection" {
  description = "What guards the objects, as it was written down: for tests of whoever has a bucket."
  value = {
    force_destroy = aws_s3_bucket.this.force_destroy
    public = !alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    versioned   = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    kms_key_arn = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id
    policies    = length(aws_s3_bucket_policy.this)
  }
}
