"""Draw European number plates and photograph them, deterministic by the generator that is given.

`draw` gives a plate as it leaves the press, tight to its edges, with its text and country: paste it into a scene
by its four corners. `photograph` gives the crop of it that a camera and a localiser make of it.
"""

from training.render.camera import nothing, photograph, spoil
from training.render.plate import Plate, draw

__all__ = ["Plate", "draw", "nothing", "photograph", "spoil"]
