# The ledger. Both tables are on demand (a campaign is a burst), and forget by the attribute `ttl`.

resource "aws_dynamodb_table" "campaigns" {
  name                        = "${var.deployment.name_prefix}-campaigns"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.protect_data

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  attribute {
    name = "g2pk"
    type = "S"
  }

  attribute {
    name = "g2sk"
    type = "S"
  }

  # Campaigns and lists in the order they were made.
  global_secondary_index {
    name            = "by_kind"
    hash_key        = "g2pk"
    range_key       = "g2sk"
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = lookup(var.deployment.keys, "data", null)
  }
}

resource "aws_dynamodb_table" "recipients" {
  name                        = "${var.deployment.name_prefix}-recipients"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.protect_data

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  attribute {
    name = "g1pk"
    type = "S"
  }

  attribute {
    name = "g1sk"
    type = "N"
  }

  # Sparse: only rows that are not final yet carry its keys, so it costs nothing once a campaign is done.
  global_secondary_index {
    name            = "due"
    hash_key        = "g1pk"
    range_key       = "g1sk"
    projection_type = "KEYS_ONLY"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = lookup(var.deployment.keys, "data", null)
  }
}
