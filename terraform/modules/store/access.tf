# What others may do with the ledger, the lists and the keys: one permission a verb, so that each function is
# granted the verbs it uses. Nobody scans.

locals {
  table_permissions = {
    campaigns_get    = [aws_dynamodb_table.campaigns.arn, ["GetItem"]]
    campaigns_query  = [aws_dynamodb_table.campaigns.arn, ["Query"]]
    campaigns_list   = ["${aws_dynamodb_table.campaigns.arn}/index/by_kind", ["Query"]]
    campaigns_write  = [aws_dynamodb_table.campaigns.arn, ["PutItem", "UpdateItem"]]
    campaigns_update = [aws_dynamodb_table.campaigns.arn, ["UpdateItem"]]
    campaigns_check  = [aws_dynamodb_table.campaigns.arn, ["ConditionCheckItem"]]
    campaigns_delete = [aws_dynamodb_table.campaigns.arn, ["DeleteItem"]]

    recipients_get    = [aws_dynamodb_table.recipients.arn, ["BatchGetItem"]]
    recipients_query  = [aws_dynamodb_table.recipients.arn, ["Query"]]
    recipients_due    = ["${aws_dynamodb_table.recipients.arn}/index/due", ["Query"]]
    recipients_put    = [aws_dynamodb_table.recipients.arn, ["PutItem"]]
    recipients_update = [aws_dynamodb_table.recipients.arn, ["UpdateItem"]]
    recipients_delete = [aws_dynamodb_table.recipients.arn, ["DeleteItem"]]

    # Who must not be mailed, asked for by the address: a few keys at a time.
    suppressions_read = [aws_dynamodb_table.recipients.arn, ["BatchGetItem"]]
  }

  # Old versions of lists are deleted to erase a person, those of uploads whenever an import is over.
  contacts_permissions = {
    lists_read     = [["lists"], ["GetObject"]]
    lists_write    = [["lists"], ["PutObject"]]
    lists_delete   = [["lists"], ["DeleteObject"]]
    contacts_erase = [["lists", "uploads"], ["DeleteObjectVersion", "GetObjectVersion"]]
    uploads_read   = [["uploads"], ["GetObject"]]
    uploads_write  = [["uploads"], ["PutObject"]]
    uploads_delete = [["uploads"], ["DeleteObjectVersion"]]
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

data "aws_iam_policy_document" "contacts" {
  for_each = local.contacts_permissions

  statement {
    sid       = replace(title(replace(each.key, "_", " ")), " ", "")
    actions   = [for action in each.value[1] : "s3:${action}"]
    resources = [for folder in each.value[0] : "${module.contacts_bucket.arn}/${folder}/*"]
  }
}

data "aws_iam_policy_document" "contacts_find" {
  statement {
    sid = "ContactsFind"
    # Without ListBucket an object that is not there is answered with "denied", like one that is.
    actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
    resources = [module.contacts_bucket.arn]
  }
}

data "aws_iam_policy_document" "keys_read" {
  statement {
    sid       = "ReadKeys"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.keys.arn]
  }
}
