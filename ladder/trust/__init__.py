"""What a person has allowed: code by its digest, hosts and their keys."""
