"""This room finds the best k of a catalogue, exactly or nearly."""
