# Keys that sign unsubscribe links, and the one that turns addresses into recipient ids. The first ones are
# drawn here and handed over in a write-only argument: they never stand in the state, in a plan or in an output.

resource "aws_secretsmanager_secret" "keys" {
  #checkov:skip=CKV2_AWS_57:a rotated key would break links already mailed; keys are added, not replaced
  name                    = "${var.deployment.name_prefix}/keys"
  description             = "Keys of Sendmill by key id: {\"hash\": \"<key>\", \"kid\": \"<current>\", \"keys\": {\"<kid>\": \"<key>\"}}"
  recovery_window_in_days = var.secret_recovery_days
  kms_key_id              = lookup(var.deployment.keys, "data", null)
}

# The length takes the way through a resource, so that it is unknown until the first apply: Terraform then
# draws no key while it only plans, and the tests need no network. (Later plans draw one and drop it.)
resource "terraform_data" "key_length" {
  input = 64
}

ephemeral "aws_secretsmanager_random_password" "first_key" {
  password_length     = terraform_data.key_length.output
  exclude_punctuation = true
}

ephemeral "aws_secretsmanager_random_password" "hash_key" {
  password_length     = terraform_data.key_length.output
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "keys" {
  secret_id = aws_secretsmanager_secret.keys.id

  secret_string_wo = jsonencode({
    # Recipients' ids are made with this one: it never rotates, or nobody would be recognised again.
    hash = ephemeral.aws_secretsmanager_random_password.hash_key.random_password
    kid  = "k1"
    keys = { k1 = ephemeral.aws_secretsmanager_random_password.first_key.random_password }
  })

  # Never raise this: it would overwrite ALL keys, and every link already mailed would stop working.
  # Rotation adds a key to the secret beside the old ones, and Terraform does not look at the value.
  secret_string_wo_version = 1
}
