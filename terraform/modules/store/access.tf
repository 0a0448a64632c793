# What others may do with the ledger, the lists and the keys: one permission a verb, so that each function is
# granted the verbs it uses. Nobody scans.

locals {
  table_permissions = {
    campaigns_get    = [aws_dynamodb_table.campaigns.arn, ["BatchGetItem", "GetItem"]]
    campaigns_query  = [aws_dynamodb_table.campaigns.arn, ["Query"]]
    campaigns_list   = ["${aws_dynamodb_table.campaigns.arn}/index/by_kind", ["Query"]]
    campaigns_write  = [aws_dynamodb_table.campaigns.arn, ["ConditionCheckItem", "PutItem", "UpdateItem"]]
    campaigns_delete = [aws_dynamodb_table.campaigns.arn, ["DeleteItem"]]

    recipients_get    = [aws_dynamodb_table.recipients.arn, ["BatchGetItem", "GetItem"]]
    recipients_query  = [aws_dynamodb_table.recipients.arn, ["Query"]]
    recipients_due    = ["${aws_dynamodb_table.recipients.arn}/index/due", ["Query"]]
    recipients_put    = [aws_dynamodb_table.recipients.arn, ["PutItem"]]
    recipients_update = [aws_dynamodb_table.recipients.arn, ["ConditionCheckItem", "UpdateItem"]]
    recipients_delete = [aws_dynamodb_table.recipients.arn, ["DeleteItem"]]
  }
}

data "aws_iam_policy_document" "table" {
  for_each = local.table_permissions

  statement {
    sid       = replace(title(replace(each.key, "_", " ")), " ", "")
    actions   = [for action in each.value[1] : "dynamodb:${action}"]
    resources = [each.value[0]]
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
