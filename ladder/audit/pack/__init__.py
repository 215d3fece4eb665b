"""What a notified body is handed: the map of the AI Act, cards, bill of materials. Pure texts."""
