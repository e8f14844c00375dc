"""The steps of `invoke`, from the claim of a batch to what follows the end of an attempt."""
