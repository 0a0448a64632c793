# Added after env/<environment>.tfvars whenever a deployment goes to the emulator.
emulated           = true
use_fips_endpoints = false

# The emulator's accounts: with these an emulated run can never touch a real one.
allowed_account_ids = ["000000000000", "111111111111", "222222222222", "333333333333"]

# An emulator is thrown away, and its names must be free again at once.
protect_data         = false
secret_recovery_days = 0
