"""The rights of Articles 15 to 21 GDPR, as requests that are taken in, worked on, answered, and can be proven later."""
