# What others may do with the ledger, the lists and the keys. Nobody scans, nobody deletes rows.

data "aws_iam_policy_document" "campaigns_read" {
  statement {
    sid       = "ReadCampaigns"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
    resources = [aws_dynamodb_table.campaigns.arn]
  }

  statement {
    sid       = "ListCampaigns"
    actions   = ["dynamodb:Query"]
    resources = ["${aws_dynamodb_table.campaigns.arn}/index/by_kind"]
  }
}

data "aws_iam_policy_document" "campaigns_write" {
  statement {
    sid       = "WriteCampaigns"
    actions   = ["dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.campaigns.arn]
  }
}

data "aws_iam_policy_document" "recipients_read" {
  statement {
    sid       = "ReadRecipients"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
    resources = [aws_dynamodb_table.recipients.arn]
  }
}

data "aws_iam_policy_document" "recipients_write" {
  statement {
    sid       = "WriteRecipients"
    actions   = ["dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.recipients.arn]
  }
}

data "aws_iam_policy_document" "lists_read" {
  statement {
    sid       = "ReadLists"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.contacts.arn}/lists/*"]
  }
}

data "aws_iam_policy_document" "lists_write" {
  statement {
    sid       = "WriteLists"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.contacts.arn}/lists/*"]
  }
}

data "aws_iam_policy_document" "keys_read" {
  statement {
    sid       = "ReadKeys"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.keys.arn]
  }
}
