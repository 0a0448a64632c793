# What every test of the whole root starts from; a run changes only what it is about.
environment        = "dev"
aws_region         = "us-east-1"
owner              = "tests"
artefacts_dir      = "tests/fixtures/artefacts"
mail_domain        = "example.com"
default_from_email = "noreply@example.com"
