"""The only room where personal data rests."""
