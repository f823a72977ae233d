"""The same preparation, training and batch scoring for data that outgrow memory, and one machine."""
